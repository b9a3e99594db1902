document.body.append('devsock')
